"""The paper's models as MMDetection components, one package a project."""
