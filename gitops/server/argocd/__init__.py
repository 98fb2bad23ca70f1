"""What the extension on Argo CD's page asks for: the one overlay that its Application is about."""
