//! What an analyst's tags would know: a part of the services' addresses, and nothing wrong.

use std::sync::Arc;

use super::bootstrap::below;
use crate::chain::View;
use crate::id::{AddressIndex, EntityIndex};
use crate::tag::Tag;
use crate::trace::{Reason, Visit};
use crate::truth::{EntityKind, Role, Truth};

/// Tags on the addresses of services, drawn from the truth.
///
/// A rule never sees the truth, but an analyst has tags, and how good they are decides how good a trace is. So a study states what share
/// of the deposit addresses its analyst knows. The services' own addresses (hot and cold wallets, sweeps) are all known, which flatters
/// every rule alike; none is wrong.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval::Attribution, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// assert_eq!(Attribution::new(chain.view(), &truth, 500, 7).len(), 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Attribution {
    /// Of each address who is said to stand behind it.
    tags: Vec<Option<Arc<Tag>>>,
    describe: String,
}

impl Attribution {
    /// Tags every address of exchanges, payment processors, mixers and pools, but of their deposit addresses only so many in a thousand,
    /// drawn by the seed.
    ///
    /// # Complexity
    ///
    /// Linear in the outputs.
    pub fn new(view: View<'_>, truth: &Truth, deposits_permille: u32, seed: u64) -> Self {
        let name = |entity: EntityIndex| {
            let entity = truth.entity(entity);
            let tag = Tag::new(entity.name.clone(), entity.kind.as_str(), "the truth of the world, in part");
            (is_service(entity.kind)).then(|| Arc::new(tag))
        };
        let names: Vec<Option<Arc<Tag>>> = (0..truth.entities().len()).map(|at| name(EntityIndex::of(at))).collect();
        let mut tags: Vec<Option<Arc<Tag>>> = vec![None; view.addresses()];
        for output in view.txs().flat_map(|tx| tx.outputs()) {
            let Some(address) = output.address_index() else { continue };
            let Some(owner) = truth.owner(output.index()) else { continue };
            let hidden = truth.role(output.index()) == Some(Role::Deposit)
                && below(seed, u64::from(address.to_u32()), 1000) >= u64::from(deposits_permille);
            if !hidden {
                tags[address.at()] = names[owner.at()].clone();
            }
        }
        let known = tags.iter().flatten().count();
        let describe =
            format!("tagged services ({known} addresses, {deposits_permille} in 1000 deposit addresses among them)");
        Self { tags, describe }
    }

    /// Returns how many addresses are tagged.
    pub fn len(&self) -> usize {
        self.tags.iter().flatten().count()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the tag on an address.
    pub fn tag(&self, address: AddressIndex) -> Option<&Tag> {
        self.tags[address.at()].as_deref()
    }

    /// A stop at tagged addresses, except at a seed.
    pub fn stop(&self) -> impl crate::trace::Stop + '_ {
        crate::trace::stop::when(self.describe.clone(), |at: &Visit<'_>| {
            if at.seed {
                return None;
            }
            let tag = self.tags[at.output.address_index()?.at()].clone()?;
            Some(Reason::Tagged(tag))
        })
    }
}

fn is_service(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::Exchange | EntityKind::Processor | EntityKind::Mixer | EntityKind::Pool)
}
