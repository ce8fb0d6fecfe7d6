//! A page of the manual as it grows: roff, whose text the crate `roff` escapes.

use clap_mangen::roff::{Inline, Roff};

/// What `roff` sets before each piece that it renders; a page needs it once.
const PREAMBLE_ENDS: &str = ".el .ds Aq '\n";

/// A page.
pub(crate) struct Page(String);

impl Page {
    /// The page `name` of `section`. It has no date: the version at its foot says which it is, and two builds are the same.
    pub(crate) fn new(name: &str, section: &str) -> Self {
        let title =
            format!(".TH \"{}\" \"{section}\" \"\" \"{}\" \"cloudhsm-pkcs11\"\n", name.to_uppercase(), super::SOURCE);
        Self(format!("{}{title}", Roff::new().render()))
    }

    /// A request or macro, with arguments that hold neither quotes nor backslashes.
    pub(crate) fn control(&mut self, name: &str, arguments: &[&str]) {
        self.0.push('.');
        self.0.push_str(name);
        for argument in arguments {
            self.0.push_str(&format!(" \"{argument}\""));
        }
        self.0.push('\n');
    }

    /// A line of text.
    pub(crate) fn text(&mut self, parts: Vec<Inline>) {
        let mut line = Roff::new();
        line.text(parts);
        self.piece(&line.render());
    }

    /// What `roff` has rendered.
    pub(crate) fn piece(&mut self, rendered: &str) {
        let (_, piece) = rendered.split_once(PREAMBLE_ENDS).unwrap_or(("", rendered));
        self.0.push_str(piece);
    }

    /// The page as it is kept in a file.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
