"""How far are membranes from their threshold?"""
