//! The rules of this crate by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, SpecError};

/// The taint rules by name.
///
/// # Examples
///
/// ```
/// use fundtrace::spec::Rule;
/// assert_eq!("fifo".parse::<Rule>()?, Rule::Fifo);
/// assert_eq!(Rule::ALL.len(), 7);
/// assert!("lilo".parse::<Rule>().unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// [`Poison`](super::Poison).
    Poison,
    /// [`Haircut`](super::Haircut).
    Haircut,
    /// [`Fifo`](super::Fifo).
    Fifo,
    /// [`Lifo`](super::Lifo).
    Lifo,
    /// [`Seniority`](super::Seniority).
    Seniority,
    /// [`Juniority`](super::Juniority).
    Juniority,
    /// [`Tiho`](super::Tiho).
    Tiho,
}

impl Rule {
    /// Every rule, in the order reports show them.
    pub const ALL: [Self; 7] =
        [Self::Poison, Self::Haircut, Self::Fifo, Self::Lifo, Self::Seniority, Self::Juniority, Self::Tiho];

    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poison => "poison",
            Self::Haircut => "haircut",
            Self::Fifo => "fifo",
            Self::Lifo => "lifo",
            Self::Seniority => "seniority",
            Self::Juniority => "juniority",
            Self::Tiho => "tiho",
        }
    }

    /// Reads a list of names, or `all`. A rule named twice is run once.
    ///
    /// # Errors
    ///
    /// When a name is unknown ([`Error::is_spec`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::spec::Rule;
    /// assert_eq!(Rule::list(["lifo", "fifo", "lifo"])?, [Rule::Lifo, Rule::Fifo]);
    /// assert_eq!(Rule::list(["all"])?, Rule::ALL);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Vec<Self>, Error> {
        let mut rules = Vec::new();
        for name in names {
            let named = if name == "all" { Self::ALL.to_vec() } else { vec![name.parse()?] };
            for rule in named {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        Ok(rules)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SpecError::Unknown { what: "policy", given: name.into(), known: format!("{known}, all") }.into()
        })
    }
}
