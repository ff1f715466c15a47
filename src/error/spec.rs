//! What can be wrong with what a user asked for.

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    #[error("seed {seed:?}: {what}; write TXID:VOUT, TXID, or ADDRESS@FROM-TO (heights, both included)")]
    Seed { seed: String, what: String },
    #[error("seed {seed:?} is an address without heights; add the heights: ADDRESS@FROM-TO (both included)")]
    NoHeights { seed: String },
    #[error("seed {seed} is not in the input: {what}")]
    NoSeed { seed: String, what: String },
    #[error("{what} is an address of another network than {network}; name its network (--network on the command line)")]
    OtherNetwork { what: String, network: &'static str },
    #[error("no seed was given: name at least one output as stolen")]
    NoSeeds,
    #[error("the seeds sum to more satoshis than can be counted: one output is named under too many labels")]
    TooMuch,
    #[error("these traces are not of one run: {what}")]
    Mixed { what: &'static str },
    #[error("unknown {what} {given:?}; known are {known}")]
    Unknown { what: &'static str, given: String, known: String },
    #[error("heights {given:?}: {what}; write FROM-TO (both included)")]
    Heights { given: String, what: String },
    #[error("bounds stand on a trace under poison, which touches all that any rule can; this one is under {given}")]
    NotPoison { given: &'static str },
    #[error("watch: {what}")]
    Watch { what: String },
    #[error("tag {address:?} is not an address")]
    Tag { address: String },
    #[cfg(feature = "simulate")]
    #[error(
        "stage {text:?} is none; stages are wait N, split N, peel N, join, shuffle N, blend, decoys N, dust N, whirlpool N, wasabi1, wasabi2, joinmarket, chips, tumbler, through, exchange (N from 1 to 1,000,000)"
    )]
    Stage { text: String },
    #[cfg(feature = "toml")]
    #[error("case file, line {line}: {what}")]
    Toml { line: u64, what: String },
    #[cfg(feature = "csv")]
    #[error("csv: {0}")]
    Csv(String),
}
