//! Where the loot of a theft went: its seeds, every output it passed, its exits, and what the thief still holds.

use bitcoin::Amount;

use super::known::{Hands, known, loot};
use super::{EntityKind, Kind, Truth};
use crate::chain::{Output, View};
use crate::id::{BlockHeight, EntityIndex, OutputIndex, TheftIndex};

/// Where loot came to somebody else: a custodian, a shop, whoever can be asked.
///
/// # Examples
///
/// See [`Truth`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Exit {
    /// The output.
    pub output: OutputIndex,
    /// When: of its transaction, or of the change of hands.
    pub height: Option<BlockHeight>,
    /// The time of that block in seconds since 1970-01-01 UTC, where the chain knows it.
    pub time: Option<u32>,
    /// Who received it.
    pub service: EntityIndex,
    /// What the receiver does.
    pub kind: EntityKind,
    /// How much of it is loot.
    pub amount: Amount,
}

impl Truth {
    /// Returns the outputs of the theft itself with what is loot in each: of the transactions of kind [`Kind::Theft`] that the view shows.
    ///
    /// A trace of the theft starts at them.
    ///
    /// # Examples
    ///
    /// See [`Truth`].
    pub fn seeds(&self, view: View<'_>, theft: TheftIndex) -> Vec<(OutputIndex, Amount)> {
        let made = self.stolen.iter().filter(|(output, _)| self.is_theft(view.output(*output)));
        made.filter_map(|(output, stolen)| of_theft(theft, loot(Some(*stolen))).map(|amount| (*output, amount)))
            .filter(|(output, _)| view.sees(view.output(*output).tx().index()))
            .collect()
    }

    /// Returns every output that held loot of the theft, its seeds too, in chain order; the most that each ever held.
    ///
    /// Inside custodians too, where the rows tell of it: what came out again for the thief is loot again.
    ///
    /// # Complexity
    ///
    /// Linear in all loot of the chain, and a sort.
    ///
    /// # Examples
    ///
    /// See [`Truth`].
    pub fn route(&self, view: View<'_>, theft: TheftIndex) -> Vec<(OutputIndex, Amount)> {
        let made = self.stolen.iter().map(|(output, stolen)| (*output, Some(*stolen)));
        let handed = self.hands.iter().map(|hands| (hands.output, hands.stolen));
        let mut route: Vec<(OutputIndex, Amount)> = made
            .chain(handed)
            .filter_map(|(output, stolen)| of_theft(theft, loot(stolen)).map(|amount| (output, amount)))
            .filter(|(output, _)| view.sees(view.output(*output).tx().index()))
            .collect();
        // The greatest amount first, which is the one that is kept.
        route.sort_unstable_by_key(|(output, amount)| (*output, std::cmp::Reverse(*amount)));
        route.dedup_by_key(|(output, _)| *output);
        route
    }

    /// Returns where loot of the theft came to somebody who is not the thief, in chain order.
    ///
    /// An output of the route is an exit when another entity owns it, and the thief brings an input of its transaction or its owner brings
    /// none: what a custodian moves among its own outputs came to it before, while its withdrawal to another custodian is an exit
    /// there. Loot that the thief hands over without a transaction is an exit too. Where the owner is unknown there is none.
    ///
    /// # Examples
    ///
    /// See [`Truth`].
    pub fn exits(&self, view: View<'_>, theft: TheftIndex) -> Vec<Exit> {
        let thief = EntityIndex::from_u32(self.theft(theft).thief);
        let mut exits = Vec::new();
        for (index, _) in self.route(view, theft) {
            let output = view.output(index);
            if let Some(amount) = of_theft(theft, self.stolen_when_made(index))
                && let Some(owner) = self.owner(index)
                && owner != thief
            {
                let participants = self.participants(output.tx());
                if participants.contains(&thief) || !participants.contains(&owner) {
                    let (height, time) = (output.tx().height(), output.tx().time());
                    let kind = self.entity(owner).kind;
                    exits.push(Exit { output: index, height, time, service: owner, kind, amount });
                }
            }
            exits.extend(self.exits_by_hand(view, theft, output));
        }
        exits
    }

    /// Returns the loot of the theft that the thief holds at the end of the view: no transaction of it spends the output.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::truth::Truth;
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let truth = Truth::read(chain.view(), "".as_bytes())?;
    /// assert!(truth.thefts().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn held(&self, view: View<'_>, theft: TheftIndex) -> Vec<(OutputIndex, Amount)> {
        let thief = EntityIndex::from_u32(self.theft(theft).thief);
        let mut held = Vec::new();
        for (index, _) in self.route(view, theft) {
            if self.holder(index) == Some(thief)
                && view.output(index).spender().is_none()
                && let Some(amount) = of_theft(theft, self.stolen(index))
            {
                held.push((index, amount));
            }
        }
        held
    }

    /// Returns the part of the [route](Self::route) that the chain alone shows: the seeds, and what the thief made of loot that the thief held.
    ///
    /// It ends where loot first leaves the thief's hands, in an exit. What a custodian pays out to the thief later is not in it, for only
    /// the custodian's books tie the two together, and no rule over the chain can be blamed for not reading them.
    ///
    /// # Examples
    ///
    /// See [`eval::route`](crate::eval::route).
    pub fn direct_route(&self, view: View<'_>, theft: TheftIndex) -> Vec<(OutputIndex, Amount)> {
        let thief = EntityIndex::from_u32(self.theft(theft).thief);
        let mut direct: Vec<(OutputIndex, Amount)> = Vec::new();
        // In chain order, so that what an output's transaction spends was decided before.
        for (index, amount) in self.route(view, theft) {
            let output = view.output(index);
            let follows = |spent: OutputIndex| {
                let known = direct.binary_search_by_key(&spent, |(output, _)| *output).is_ok();
                known && self.holder(spent) == Some(thief)
            };
            let seed = self.is_theft(output) && self.stolen_when_made(index).is_some();
            if seed || output.tx().inputs().filter_map(|input| input.prevout()).any(|spent| follows(spent.index())) {
                direct.push((index, amount));
            }
        }
        direct
    }

    fn is_theft(&self, output: Output<'_>) -> bool {
        self.kind(output.tx().index()) == Some(Kind::Theft)
    }

    /// The exits that no transaction shows.
    fn exits_by_hand(&self, view: View<'_>, theft: TheftIndex, output: Output<'_>) -> Vec<Exit> {
        let thief = EntityIndex::from_u32(self.theft(theft).thief);
        let (mut holder, mut held) = (self.owner(output.index()), self.stolen_when_made(output.index()));
        let mut exits = Vec::new();
        for Hands { height, to, stolen, .. } in self.hands_of(output.index()) {
            let (before, now) = (of_theft(theft, held), of_theft(theft, loot(*stolen)));
            let visible = view.height().is_none_or(|end| *height <= end);
            let to = known(*to);
            if let Some(before) = before
                && let Some(service) = to.filter(|to| *to != thief && holder == Some(thief) && visible)
            {
                let time = view.block(*height).next().and_then(|tx| tx.time());
                let kind = self.entity(service).kind;
                let (output, height, amount) = (output.index(), Some(*height), now.unwrap_or(before));
                exits.push(Exit { output, height, time, service, kind, amount });
            }
            (holder, held) = (to, loot(*stolen));
        }
        exits
    }
}

fn of_theft(theft: TheftIndex, stolen: Option<(TheftIndex, Amount)>) -> Option<Amount> {
    stolen.filter(|(of, _)| *of == theft).map(|(_, amount)| amount)
}
