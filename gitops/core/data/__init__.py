"""Which databases the manifests of an overlay lead to, and whether they are of the right class."""
