# up, down, install, deb
