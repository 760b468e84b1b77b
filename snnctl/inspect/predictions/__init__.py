"""What does the network say of single items?"""
