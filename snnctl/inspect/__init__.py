"""Looking into a trained network or a component: one folder per question."""
