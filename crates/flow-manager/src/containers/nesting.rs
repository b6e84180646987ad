//! Mounts in one another. Who can write a folder can put a link in the place of what is in it,
//! and the engine follows that when it mounts it: so nothing is mounted out of a folder that a
//! container may write.

use std::path::Path;

use super::Inner;
use crate::failure::{ErrorCode, Failure};
use crate::model::ContainerConfig;
use crate::policy::target_and_mode;

impl Inner {
    /// Refuses what lies in a folder that any container of ours may write, or may itself be
    /// written around what another one mounts. The same folder may be mounted by many.
    pub(super) fn check_nesting(&self, config: &ContainerConfig) -> Result<(), Failure> {
        let registry = self.lock();
        let others = registry.all();
        let others = others.iter().flat_map(|entry| sources(&entry.config));
        let all: Vec<_> = others.chain(sources(config)).collect();
        for new in sources(config) {
            if all.iter().any(|other| is_unsafe(new, *other)) {
                let source = diagnostics::shown_path(new.0);
                let message = format!(
                    "{source}: it is in a folder that a container may write, or one that is mounted is in it"
                );
                return Err(Failure::new(ErrorCode::MountNotAllowed, message));
            }
        }
        Ok(())
    }
}

/// The folders of the host, and whether the container may write them.
fn sources(config: &ContainerConfig) -> impl Iterator<Item = (&Path, bool)> {
    config.volumes.iter().map(|(source, target)| {
        let (_, read_only) = target_and_mode(target);
        (Path::new(source), !read_only)
    })
}

fn is_unsafe(a: (&Path, bool), b: (&Path, bool)) -> bool {
    let holds = |(outer, can_write): (&Path, bool), (inner, _): (&Path, bool)| {
        can_write && inner != outer && inner.starts_with(outer)
    };
    holds(a, b) || holds(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_exchanged_is_unsafe() {
        for (a, b, expected) in [
            (("/srv/a", true), ("/srv/a/sub", false), true),
            (("/srv/a/sub", false), ("/srv/a", true), true),
            (("/srv/a", false), ("/srv/a/sub", true), false),
            (("/srv/a", true), ("/srv//a/", true), false),
            (("/srv/a", true), ("/srv/ab", true), false),
        ] {
            let with_path = |(path, can_write): (&'static str, bool)| (Path::new(path), can_write);
            assert_eq!(
                is_unsafe(with_path(a), with_path(b)),
                expected,
                "{a:?} {b:?}"
            );
        }
    }
}
