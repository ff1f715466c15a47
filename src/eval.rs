//! How often a rule is wrong, where the truth is known.
