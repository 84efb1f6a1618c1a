"""What is measured against what? One module for each group of rows; spotopt/local/bench.py runs them."""
