"""How do time constants lie over depth?"""
