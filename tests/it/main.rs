//! The one integration test binary: a file a theme.

#![allow(unreachable_pub, reason = "one binary; its modules share everything")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod golden;
mod graph;
mod hostile;
mod laws;
mod mini;
mod model;
mod oracle;
mod random;
mod scenarios;
mod twin;
