//! The rows of a truth file, joined with the chain: columns by index, and sorted lists for what is rare.

use std::io::BufRead;

use bitcoin::Amount;

use super::read::Builder;
use super::{Account, Entity, Kind, Role, Row, Stolen, Theft};
use crate::chain::{Tx, View};
use crate::error::{At, Error};
use crate::id::{AddressIndex, BlockHeight, EntityIndex, OutputIndex, TheftIndex, TxIndex};

/// No entity is known.
pub(super) const NOBODY: u32 = u32::MAX;
/// No row told of the outputs of the transaction.
pub(super) const NO_ROW: u8 = u8::MAX;
/// A row did, and left this out.
pub(super) const NOT_SAID: u8 = u8::MAX - 1;

/// What is known to be true of a chain.
///
/// Every answer is `None` where no row tells. "Nothing of it is stolen" is an answer only where the output is
/// [labelled](Self::is_labelled).
///
/// # Complexity
///
/// Memory is 5 bytes an output, 1 a transaction, 4 an address, and 16 to 24 bytes for each output that is loot or names an account.
/// Look-ups are constant time by owner, role and kind, and logarithmic by loot, account and change of hands.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::truth::{EntityKind, Truth};
/// use fundtrace::{BlockHeight, id::TheftIndex};
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let mut builder = ChainBuilder::new();
/// let theft = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(50));
/// builder.insert(NewTx::claimed(txid(2), vec![theft], vec![out(40), out(10)]).height(BlockHeight::from_u32(8)))?;
/// let deposit = NewInput::new(OutPoint::new(txid(2), 0));
/// builder.insert(NewTx::claimed(txid(3), vec![deposit], vec![out(30), out(9)]).height(BlockHeight::from_u32(9)))?;
/// let chain = builder.finish()?;
///
/// let file = r#"{"entity":{"index":0,"kind":"thief"}}
/// {"entity":{"index":1,"kind":"user","name":"victim"}}
/// {"entity":{"index":2,"kind":"exchange","name":"Example Exchange"}}
/// {"theft":{"index":0,"thief":0,"victim":1,"height":8,"sat":40}}
/// {"tx":{"txid":"T2","kind":"theft","outputs":[{"owner":0,"stolen":{"theft":0,"sat":40}},{"owner":1,"role":"change"}]}}
/// {"tx":{"txid":"T3","outputs":[{"owner":2,"stolen":{"theft":0,"sat":30}},{"owner":0,"stolen":{"theft":0,"sat":9}}]}}"#;
/// let file = file.replace("T2", &txid(2).to_string()).replace("T3", &txid(3).to_string());
/// let truth = Truth::read(chain.view(), file.as_bytes())?;
///
/// let theft = TheftIndex::from_u32(0);
/// assert_eq!(truth.seeds(chain.view(), theft).len(), 1);
/// assert_eq!(truth.route(chain.view(), theft).len(), 3);
/// let exits = truth.exits(chain.view(), theft);
/// assert_eq!(exits.len(), 1);
/// assert_eq!(truth.entity(exits[0].service).kind, EntityKind::Exchange);
/// assert_eq!(exits[0].amount, Amount::from_sat(30));
/// // Nobody told of the victim's coin, and unknown is not "no".
/// let stub = chain.view().stubs().next().unwrap().outputs().next().unwrap();
/// assert!(!truth.is_labelled(stub.index()));
/// assert_eq!(truth.owner(stub.index()), None);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Truth {
    pub(super) entities: Vec<Entity>,
    pub(super) accounts: Vec<Account>,
    pub(super) thefts: Vec<Theft>,
    /// By output; [`NOBODY`] where it is not known.
    pub(super) owners: Vec<u32>,
    /// By output: a role's code, [`NOT_SAID`], or [`NO_ROW`].
    pub(super) roles: Vec<u8>,
    /// By transaction: a kind's code, [`NOT_SAID`], or [`NO_ROW`].
    pub(super) kinds: Vec<u8>,
    /// By address; [`NOBODY`] where it is not known.
    pub(super) address_owners: Vec<u32>,
    /// Sorted by output.
    pub(super) account_of: Vec<(OutputIndex, u32)>,
    /// Sorted by output.
    pub(super) stolen: Vec<(OutputIndex, Stolen)>,
    /// Sorted by output, then in time.
    pub(super) hands: Vec<Hands>,
}

/// A change of hands, joined with the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hands {
    pub(super) output: OutputIndex,
    pub(super) height: BlockHeight,
    pub(super) to: u32,
    pub(super) account: Option<u32>,
    pub(super) stolen: Option<Stolen>,
}

impl Truth {
    /// Reads a truth file against the chain that it tells of.
    ///
    /// Rows are joined with the whole chain, above the view's height too.
    ///
    /// # Errors
    ///
    /// When reading fails ([`Error::is_io`]); when a line is no row ([`Error::is_parse`]); when a row contradicts the chain or another
    /// row ([`Error::is_truth`]): a transaction or output that is not in the chain, a wrong number of outputs, more stolen than the
    /// output holds, two rows for one transaction, two owners of one address, numbers with gaps or that no row tells of, an output that
    /// changes hands before it is made or after it is spent. The message names the line.
    ///
    /// # Complexity
    ///
    /// One pass over the lines, a look-up by txid for each; one line in memory at a time, of 16 MiB at most.
    ///
    /// # Examples
    ///
    /// See [`Truth`].
    pub fn read(view: View<'_>, reader: impl BufRead) -> Result<Self, Error> {
        super::read::read(view, reader)
    }

    /// Joins rows with the chain, as [`read`](Self::read) does with lines; errors name a row as an entry, counted from 1.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), when rows contradict the chain or each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::truth::{Entity, EntityKind, Row, Truth};
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let row = Row::Entity(Entity { index: 1, kind: EntityKind::User, name: String::new() });
    /// let error = Truth::from_rows(chain.view(), [row]).unwrap_err();
    /// assert!(error.is_truth());
    /// assert!(error.to_string().starts_with("entry 1: entity 1 stands here, but there is no entity 0"));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn from_rows(view: View<'_>, rows: impl IntoIterator<Item = Row>) -> Result<Self, Error> {
        let mut builder = Builder::new(view);
        for (number, row) in (1..).zip(rows) {
            builder.insert(At::Entry(number), row)?;
        }
        Ok(builder.finish()?)
    }

    /// Returns the owners; [`EntityIndex`] counts them.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Returns the accounts at custodians, by their numbers.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Returns the thefts; [`TheftIndex`] counts them.
    pub fn thefts(&self) -> &[Theft] {
        &self.thefts
    }

    /// Returns an owner.
    ///
    /// # Panics
    ///
    /// When the index is not from this truth.
    pub fn entity(&self, index: EntityIndex) -> &Entity {
        &self.entities[index.at()]
    }

    /// Returns a theft.
    ///
    /// # Panics
    ///
    /// When the index is not from this truth.
    pub fn theft(&self, index: TheftIndex) -> &Theft {
        &self.thefts[index.at()]
    }

    /// True when a row told of this output, if only that nothing of it is stolen.
    ///
    /// # Panics
    ///
    /// This and every other question by index, when the index is not from the chain.
    pub fn is_labelled(&self, output: OutputIndex) -> bool {
        self.roles[output.at()] != NO_ROW
    }

    /// Returns who held the output's keys when it was made, as its row says.
    pub fn owner(&self, output: OutputIndex) -> Option<EntityIndex> {
        known(self.owners[output.at()])
    }

    /// Returns who held the output's keys at the end, or when it was spent: its owner, unless it changed hands.
    pub fn holder(&self, output: OutputIndex) -> Option<EntityIndex> {
        self.hands_of(output).last().map_or_else(|| self.owner(output), |hands| known(hands.to))
    }

    /// Returns who held the output's keys at the end of a height.
    pub fn holder_at(&self, output: OutputIndex, height: BlockHeight) -> Option<EntityIndex> {
        let hands = self.hands_of(output).iter().rev().find(|hands| hands.height <= height);
        hands.map_or_else(|| self.owner(output), |hands| known(hands.to))
    }

    /// Returns the one owner that rows give the outputs of an address. A change of hands is no change of it.
    pub fn owner_of_address(&self, address: AddressIndex) -> Option<EntityIndex> {
        known(self.address_owners[address.at()])
    }

    /// Returns what an output is for.
    pub fn role(&self, output: OutputIndex) -> Option<Role> {
        Role::ALL.get(usize::from(self.roles[output.at()])).copied()
    }

    /// Returns what a transaction is.
    pub fn kind(&self, tx: TxIndex) -> Option<Kind> {
        Kind::ALL.get(usize::from(self.kinds[tx.at()])).copied()
    }

    /// Returns the account at a custodian that an output credits or debits: of its last change of hands, or else of its row.
    pub fn account(&self, output: OutputIndex) -> Option<&Account> {
        let handed = self.hands_of(output).iter().rev().find_map(|hands| hands.account);
        let account = handed.or_else(|| find(&self.account_of, output))?;
        self.accounts.get(crate::id::at(account))
    }

    /// Returns how much of an output is loot, and of which theft, when it was spent or at the end; `None` where nothing is, or where the
    /// output is not [labelled](Self::is_labelled).
    pub fn stolen(&self, output: OutputIndex) -> Option<(TheftIndex, Amount)> {
        let hands = self.hands_of(output).last();
        loot(hands.map_or_else(|| find(&self.stolen, output), |hands| hands.stolen))
    }

    /// Returns how much of an output was loot when it was made, before it changed hands.
    pub fn stolen_when_made(&self, output: OutputIndex) -> Option<(TheftIndex, Amount)> {
        loot(find(&self.stolen, output))
    }

    /// The most loot that an output ever held, of whichever theft; where hands changed, of several.
    pub(crate) fn loot_ever(&self, output: OutputIndex) -> Option<Amount> {
        let handed = self.hands_of(output).iter().filter_map(|hands| hands.stolen);
        find(&self.stolen, output).into_iter().chain(handed).map(|stolen| Amount::from_sat(stolen.sat)).max()
    }

    /// Returns the entities that bring the inputs of a transaction, each once, in order; those that are known.
    ///
    /// # Complexity
    ///
    /// Linear in the inputs, and a sort.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::truth::Truth;
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let truth = Truth::read(chain.view(), "".as_bytes())?;
    /// assert!(chain.view().txs().all(|tx| truth.participants(tx).is_empty()));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn participants(&self, tx: Tx<'_>) -> Vec<EntityIndex> {
        let mut entities: Vec<_> = tx.inputs().filter_map(|input| self.holder(input.prevout()?.index())).collect();
        entities.sort_unstable();
        entities.dedup();
        entities
    }

    pub(super) fn hands_of(&self, output: OutputIndex) -> &[Hands] {
        let from = self.hands.partition_point(|hands| hands.output < output);
        let rest = &self.hands[from..];
        &rest[..rest.partition_point(|hands| hands.output == output)]
    }
}

pub(super) fn known(entity: u32) -> Option<EntityIndex> {
    (entity != NOBODY).then_some(EntityIndex::from_u32(entity))
}

pub(super) fn loot(stolen: Option<Stolen>) -> Option<(TheftIndex, Amount)> {
    stolen.map(|stolen| (TheftIndex::from_u32(stolen.theft), Amount::from_sat(stolen.sat)))
}

fn find<T: Copy>(sorted: &[(OutputIndex, T)], output: OutputIndex) -> Option<T> {
    sorted.binary_search_by_key(&output, |(index, _)| *index).ok().map(|at| sorted[at].1)
}
