"""Two sides of a pull request compared: images, policy, rendered manifests."""
