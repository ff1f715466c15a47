//! How far a tag is to be trusted: GraphSense's levels, or a number of the caller's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a tag came about, by the names that GraphSense's TagPacks use.
///
/// The names and what each is worth are GraphSense's (tagpack-tool, `confidence.csv`): an agreement, not a measurement.
///
/// # Examples
///
/// See [`Confidence`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// Whoever made it knows that it stands for the whole cluster and overrides all other tags: 100.
    Override,
    /// Whoever made it holds the key: 100.
    Ownership,
    /// Whoever made it moved funds from one known service to another: 90.
    ManualTransaction,
    /// From a trusted provider's interface: 70.
    ServiceApi,
    /// From a public authority: 60.
    AuthorityData,
    /// From a trusted third party: 50.
    TrustedProvider,
    /// From the service itself: 50.
    ServiceData,
    /// From a report, a paper for example: 50.
    Forensic,
    /// A third party moved funds from one known service to another: 40.
    UntrustedTransaction,
    /// From the web, or a dump of it: 20.
    WebCrawl,
    /// By a method whose reliability nobody has measured: 10.
    Heuristic,
    /// Nobody knows: 5.
    Unknown,
}

const LEVELS: [(Level, &str, u8); 12] = [
    (Level::Override, "override", 100),
    (Level::Ownership, "ownership", 100),
    (Level::ManualTransaction, "manual_transaction", 90),
    (Level::ServiceApi, "service_api", 70),
    (Level::AuthorityData, "authority_data", 60),
    (Level::TrustedProvider, "trusted_provider", 50),
    (Level::ServiceData, "service_data", 50),
    (Level::Forensic, "forensic", 50),
    (Level::UntrustedTransaction, "untrusted_transaction", 40),
    (Level::WebCrawl, "web_crawl", 20),
    (Level::Heuristic, "heuristic", 10),
    (Level::Unknown, "unknown", 5),
];

impl Level {
    /// Returns its name in TagPacks.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Returns what it is worth, from 0 to 100.
    pub fn percent(self) -> u8 {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, u8) {
        *LEVELS.iter().find(|(level, ..)| *level == self).expect("every level has a row")
    }

    /// The names, for a message.
    pub(super) fn names() -> String {
        LEVELS.map(|(_, name, _)| name).join(", ")
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let row = LEVELS.iter().find(|(_, known, _)| *known == name);
        row.map(|(level, ..)| *level)
            .ok_or_else(|| format!("{name:?} is no confidence level of GraphSense's; write one of {}", Self::names()))
    }
}

/// How far a tag is to be trusted, from 0 to 100, and by which level of GraphSense's where it is one.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::{Confidence, Level};
/// let from_ofac: Confidence = "authority_data".parse()?;
/// assert_eq!((from_ofac.percent(), from_ofac.level()), (60, Some(Level::AuthorityData)));
/// assert_eq!(from_ofac.to_string(), "60 of 100, authority_data");
/// let own: Confidence = "75".parse()?;
/// assert_eq!((own.percent(), own.level()), (75, None));
/// assert!("101".parse::<Confidence>().is_err() && "sure".parse::<Confidence>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Confidence {
    percent: u8,
    level: Option<Level>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    percent: u8,
    #[serde(default)]
    level: Option<Level>,
}

impl From<Confidence> for Written {
    fn from(Confidence { percent, level }: Confidence) -> Self {
        Self { percent, level }
    }
}

impl TryFrom<Written> for Confidence {
    type Error = String;

    fn try_from(Written { percent, level }: Written) -> Result<Self, String> {
        match level {
            Some(level) if level.percent() != percent => {
                Err(format!("confidence {} is {}, not {percent}", level.as_str(), level.percent()))
            }
            Some(level) => Ok(level.into()),
            None => Self::of_percent(percent).ok_or_else(|| format!("confidence {percent} is over 100")),
        }
    }
}

impl Confidence {
    /// Takes a number from 0 to 100 that is of no level; `None` when it is over 100.
    pub fn of_percent(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self { percent, level: None })
    }

    /// Returns the number, from 0 to 100.
    pub fn percent(self) -> u8 {
        self.percent
    }

    /// Returns the level of GraphSense's, where it is of one.
    pub fn level(self) -> Option<Level> {
        self.level
    }
}

impl From<Level> for Confidence {
    fn from(level: Level) -> Self {
        Self { percent: level.percent(), level: Some(level) }
    }
}

impl FromStr for Confidence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let percent = text.parse().ok().and_then(Self::of_percent);
            return percent.ok_or_else(|| format!("{text:?} is no number from 0 to 100"));
        }
        text.parse::<Level>().map(Self::from)
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of 100", self.percent)?;
        self.level.map_or(Ok(()), |level| write!(f, ", {}", level.as_str()))
    }
}
