"""The stair tower: health, backup, doctor; imported by none but config."""
