"""Stages that read files and leave result folders, and whole studies made of them."""
