"""The other servers: the same bundle, encoded and run by the product's own code, each as its documents advise."""
