"""Simulators: devices that really connect. Nothing of the product is imported here but the codecs' encoders; `demo.city` says what is measured."""
