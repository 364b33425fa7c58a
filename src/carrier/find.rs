//! Ways to find out which member of a federation a person has.

/// One way. A federation has a list of them: the first begins, what stands behind it is offered beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// There is one member.
    Fixed,
    /// A page of ours, on which people pick.
    Picker,
    /// A page of the federation's, which answers with the state that it was given, the person's network, and perhaps a hint for
    /// the member (dossier 5, 6).
    UiWithState,
    /// An address of the federation's that takes the whole authorization request and leads on to the carrier with it (dossier 7).
    /// Which carrier that was, the answer says, together with the code: so it must be told twice, and by what we know.
    Optimized,
}
