"""Mutation testing of pure modules: does a unit test fail when a condition of the code is turned round?"""
