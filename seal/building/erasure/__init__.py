"""The erasure filter: is a question answered from its object, or without it?"""
