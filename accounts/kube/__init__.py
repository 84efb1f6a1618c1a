"""How do we speak to a customer's cluster?"""
