"""Making triangle meshes of a model's elements, and judging them before anybody relies on them."""
