"""Text to a validated, resolved description of one experiment. Imports no torch of its own accord."""

from snnctl.recipe.resolve import Recipe, load_recipe, read_recipe

__all__ = ["Recipe", "load_recipe", "read_recipe"]
