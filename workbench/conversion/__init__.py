"""From other tools' files to those that the adapters read."""
