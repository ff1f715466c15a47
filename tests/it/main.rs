//! The one integration test binary: a file a theme.

mod mini;
mod scenarios;
mod twin;
