//! Where the code of a flow is in its container.

use crate::failure::{ErrorCode, Failure};

/// A folder in a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) parent: String,
    pub(super) name: String,
}

/// The folder that is to be replaced, unless something stands against that: a root that cannot
/// be written, or a mount in the folder or above it.
pub(super) fn find(target: &str, mounts: &[&str], is_fixed: bool) -> Result<Place, Failure> {
    let parts = parts(target);
    let is_clean = target.starts_with('/') && !parts.iter().any(|part| matches!(*part, "." | ".."));
    let (Some((name, parent)), true) = (parts.split_last(), is_clean) else {
        let message = "The image has neither the label io.flow-manager.code-dir nor a working directory below the root";
        return Err(Failure::new(ErrorCode::NoCodeDir, message));
    };
    let not_updatable = |why: String| Err(Failure::new(ErrorCode::NotUpdatable, why));
    if is_fixed {
        return not_updatable("The container's root is read-only".to_owned());
    }
    for mount in mounts {
        let mounted = self::parts(mount);
        if mounted.starts_with(&parts) || parts.starts_with(&mounted) {
            let mount = diagnostics::redacted_prefix(mount);
            return not_updatable(format!(
                "{mount} is a mount: change the code where that comes from"
            ));
        }
    }
    Ok(Place {
        path: format!("/{}", parts.join("/")),
        parent: format!("/{}", parent.join("/")),
        name: (*name).to_owned(),
    })
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_the_containers_own_can_be_replaced() {
        let place = find(
            "/srv//app/",
            &["/run/flow", "/srv/data", "/srv/apple"],
            false,
        )
        .unwrap();
        let (path, parent, name) = ("/srv/app".to_owned(), "/srv".to_owned(), "app".to_owned());
        assert_eq!(place, Place { path, parent, name });
        assert_eq!(find("/app", &[], false).unwrap().parent, "/");
        let code =
            |target, mounts: &[&str], is_fixed| find(target, mounts, is_fixed).unwrap_err().code;
        for target in ["", "/", "app", "/a/../b", "/./"] {
            assert_eq!(code(target, &[], false), ErrorCode::NoCodeDir, "{target:?}");
        }
        assert_eq!(code("/app", &[], true), ErrorCode::NotUpdatable);
        for mount in ["/app", "/app/data", "/"] {
            assert_eq!(
                code("/app", &[mount], false),
                ErrorCode::NotUpdatable,
                "{mount}"
            );
        }
        assert_eq!(code("/srv/app", &["/srv"], false), ErrorCode::NotUpdatable);
    }
}
