"""What do positional encodings tell apart, and what does a network do with its own?"""
