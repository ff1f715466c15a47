//! The documents beside the code.

#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}
#[doc = include_str!("../DESIGN.md")]
pub mod design {}
#[doc = include_str!("../COMPARE.md")]
pub mod compare {}
#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}
#[doc = include_str!("../docs/format.md")]
pub mod format {}
#[doc = include_str!("../docs/truth.md")]
pub mod truth {}
