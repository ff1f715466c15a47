//! What can be wrong with what a user asked for.

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    #[error("seed {seed:?}: {what}; write TXID:VOUT, TXID, or ADDRESS@FROM-TO (heights, both included)")]
    Seed { seed: String, what: String },
    #[error("seed {seed} is not in the input: {what}")]
    NoSeed { seed: String, what: String },
    #[error("no seed was given: name at least one output as stolen")]
    NoSeeds,
    #[error("the seeds sum to more satoshis than can be counted: one output is named under too many labels")]
    TooMuch,
    #[error("unknown {what} {given:?}; known are {known}")]
    Unknown { what: &'static str, given: String, known: String },
    #[error("tag {address:?}: {what}")]
    Tag { address: String, what: String },
    #[cfg(feature = "toml")]
    #[error("case file: {0}")]
    Toml(toml::de::Error),
    #[cfg(feature = "csv")]
    #[error("csv: {0}")]
    Csv(String),
}
