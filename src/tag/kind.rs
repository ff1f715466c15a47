//! Of which kind an owner is said to be, and which tags cannot both be right.

use super::Tag;

/// Categories and concepts that are of persons or of deeds and of no service that holds others' coins; those of GraphSense's taxonomies (entities, abuses)
/// and words that mean the same.
const NO_SERVICE: [&str; 29] = [
    "user",
    "person",
    "individual",
    "victim",
    "perpetrator",
    "suspect",
    "criminal",
    "hacker",
    "abuse",
    "scam",
    "fraud",
    "investment_fraud",
    "ponzi_scheme",
    "pyramid_scheme",
    "phishing",
    "impersonation",
    "extortion",
    "sextortion",
    "blackmail",
    "ransomware",
    "malware",
    "hack",
    "service_hack",
    "theft",
    "stolen_funds",
    "terrorism",
    "sanction",
    "money_laundering",
    "child_sexual_exploitation",
];

impl Tag {
    pub(super) fn names_owner(&self) -> bool {
        !self.actor.is_empty() || self.abuse.is_empty()
    }

    /// Whether it may stand for a service that pays out others' coins: an exchange, a shop, a pool. What it says of its own kind decides: the
    /// category, without one the concepts; one that says nothing of it may be anybody's, and an abuse alone is a deed. A service that is
    /// accused stays a service.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let of = |category| Tag::new("A", category, "a list");
    /// assert!(of("exchange").names_service() && of("").names_service() && of("exchange").abuse("sanction").names_service());
    /// assert!(!of("user").names_service() && !of("perpetrator").names_service() && !of("").abuse("scam").names_service());
    /// assert!(!of("").concepts(vec!["Perpetrator".into(), "scam".into()]).names_service());
    /// assert!(of("").concepts(vec!["sanction".into(), "exchange".into()]).names_service());
    /// ```
    pub fn names_service(&self) -> bool {
        let is_service = |word: &String| !NO_SERVICE.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
        if !self.category.trim().is_empty() {
            return is_service(&self.category);
        }
        if self.concepts.is_empty() { self.abuse.is_empty() } else { self.concepts.iter().any(is_service) }
    }

    /// Whether its category, its abuse or one of its concepts is this, but for the case of ASCII letters.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let tag = Tag::new("Example Group", "user", "a list").abuse("sanction");
    /// assert!(tag.is_of("Sanction") && tag.is_of("user") && !tag.is_of("exchange"));
    /// ```
    pub fn is_of(&self, category: &str) -> bool {
        let own = [&self.category, &self.abuse].into_iter().chain(&self.concepts);
        !category.is_empty() && own.into_iter().any(|known| known.eq_ignore_ascii_case(category))
    }

    /// Whether the two cannot both be right: they name different owners, or different kinds of owner.
    ///
    /// Owners are compared by actor where both name one, else by label, but for case. A tag that names an abuse and no actor says what was
    /// done and not who did it, and contradicts nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let tag = |label| Tag::new(label, "exchange", "a list");
    /// assert!(tag("A").contradicts(&tag("B")) && !tag("A").contradicts(&tag("a")));
    /// assert!(!tag("A hot").actor("a").contradicts(&tag("A cold").actor("a")));
    /// assert!(!tag("A").contradicts(&tag("listed").abuse("sanction")));
    /// ```
    pub fn contradicts(&self, other: &Self) -> bool {
        if !self.names_owner() || !other.names_owner() {
            return false;
        }
        let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && !a.trim().eq_ignore_ascii_case(b.trim());
        let owners = if self.actor.is_empty() || other.actor.is_empty() {
            differ(&self.label, &other.label)
        } else {
            differ(&self.actor, &other.actor)
        };
        owners || differ(&self.category, &other.category)
    }
}
