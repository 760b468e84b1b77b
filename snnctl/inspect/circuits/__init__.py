"""What do the autaptic circuits do?"""
