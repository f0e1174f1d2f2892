"""What `./dev` is made of; only the standard library, so that it runs on a bare machine."""
