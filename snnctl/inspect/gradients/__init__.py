"""How far back do gradients reach?"""
