//! Which rules say what goes on in a peel chain: `--peels` of `trace`, `--peels-by` of `detect`.

use fundtrace::Error;
use fundtrace::change::{Change, Context, Hindsight, Rule};
use fundtrace::service::peel::Ratio;

/// The rules of one option; each must name the output.
#[derive(Clone, Debug)]
pub(crate) struct PeelsBy(Vec<Option<Rule>>);

/// Reads `ratio` and names of change rules, with commas.
pub(crate) fn by(text: &str) -> Result<PeelsBy, Error> {
    let one = |name: &str| if name == "ratio" { Ok(None) } else { name.parse::<Rule>().map(Some) };
    text.split(',').map(one).collect::<Result<_, _>>().map(PeelsBy)
}

impl PeelsBy {
    /// Makes the rule that all of them agree on.
    pub(crate) fn rule(&self) -> Result<Box<dyn Hindsight>, Error> {
        let mut all: Option<Box<dyn Hindsight>> = None;
        for name in &self.0 {
            let rule: Box<dyn Hindsight> = match name {
                None => Box::new(Ratio::default().in_hindsight()),
                Some(name) => name.hindsight(&Context::default()).ok_or_else(|| {
                    let what = format!("peel chains cannot be followed by {name}: it needs clusters or fingerprints");
                    std::io::Error::new(std::io::ErrorKind::InvalidInput, what)
                })?,
            };
            all = Some(match all {
                None => rule,
                Some(before) => Box::new(Hindsight::and(before, rule)),
            });
        }
        Ok(all.expect("a text split at commas has a part"))
    }
}
