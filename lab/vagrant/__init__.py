"""The reference topology as virtual machines by Vagrant, for those who have VirtualBox or libvirt."""
