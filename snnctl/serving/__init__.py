"""A trained run as a model: new rows in, forecasts in the data's own units out."""
