"""What Argo CD says of an Application, and what that means for a release."""
