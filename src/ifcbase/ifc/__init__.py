"""Reading models: open, inventory, selectors, meshes, mesh cache, matching between versions."""
