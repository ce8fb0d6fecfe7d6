//! The clusters of a process: each is one HSM, a folder in the home and a slot.

use super::Config;

/// The folders, which are the token labels too, in the order of the slots.
const NAMES: [&str; 8] = ["hsm1", "hsm2", "hsm3", "hsm4", "hsm5", "hsm6", "hsm7", "hsm8"];
/// The most clusters that can be set.
pub(super) const MOST: u32 = 8;

/// The place of the cluster with this name, from 0.
pub(super) fn number_of(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

impl Config {
    /// The cluster of that name, whether there is one or not.
    #[must_use]
    pub fn cluster_named(name: &str) -> Option<&'static str> {
        NAMES.into_iter().find(|known| *known == name)
    }

    /// The names that a cluster can have, in the order of the slots.
    #[must_use]
    pub const fn cluster_names() -> &'static [&'static str] {
        &NAMES
    }

    /// The clusters that there are: the first always, those that the settings count, and those whose folder is there.
    /// Each as its number, which begins at 0, and its name.
    pub fn clusters(&self) -> impl Iterator<Item = (u32, &'static str)> {
        let set = self.settings.clusters;
        (0..).zip(NAMES).filter(move |(number, name)| {
            // Anything of that name counts: what is no folder is refused with its path when the HSM is opened.
            *number < set || std::fs::symlink_metadata(self.home.join(name)).is_ok()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn set_or_there() {
        let home = platform::testing::temporary();
        let clusters = |count| {
            let settings = Settings { clusters: count, ..Settings::default() };
            let config = Config {
                home: home.path().to_owned(),
                file: std::path::PathBuf::new(),
                settings,
                cluster_ids: Vec::new(),
                remarks: Vec::new(),
            };
            config.clusters().collect::<Vec<_>>()
        };
        assert_eq!(clusters(1), [(0, "hsm1")]);
        assert_eq!(clusters(2), [(0, "hsm1"), (1, "hsm2")]);
        std::fs::create_dir(home.path().join("hsm4")).unwrap();
        std::fs::create_dir(home.path().join("hsm9")).unwrap();
        assert_eq!(clusters(1), [(0, "hsm1"), (3, "hsm4")]);
        assert_eq!(clusters(MOST).len(), 8);
        assert_eq!((Config::cluster_named("hsm8"), Config::cluster_named("hsm9")), (Some("hsm8"), None));
    }
}
