//! What is asked of the engine, in words and by object.

use std::fmt;

/// A call: `stop container "web"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) verb: &'static str,
    pub(crate) object: Object<'a>,
}

/// What a call acts on, by the caller's name for it. It says what a 404 means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object<'a> {
    Engine,
    Container(&'a str),
    /// A path inside a container.
    Path(&'a str, &'a str),
    Image(&'a str),
    Network(&'a str),
    Volume(&'a str),
}

impl<'a> Call<'a> {
    pub(crate) fn container(verb: &'static str, name: &'a str) -> Self {
        Self {
            verb,
            object: Object::Container(name),
        }
    }

    pub(crate) fn image(verb: &'static str, image: &'a str) -> Self {
        Self {
            verb,
            object: Object::Image(image),
        }
    }

    pub(crate) fn network(verb: &'static str, network: &'a str) -> Self {
        Self {
            verb,
            object: Object::Network(network),
        }
    }

    pub(crate) fn volume(verb: &'static str, volume: &'a str) -> Self {
        Self {
            verb,
            object: Object::Volume(volume),
        }
    }

    /// A call of the engine as a whole: `list containers of the engine`.
    pub(crate) fn engine(verb: &'static str) -> Self {
        Self {
            verb,
            object: Object::Engine,
        }
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb;
        match self.object {
            Object::Engine => write!(f, "{verb} the engine"),
            Object::Container(name) => write!(f, "{verb} container {name:?}"),
            Object::Path(name, path) => write!(f, "{verb} {path:?} of container {name:?}"),
            Object::Image(name) => write!(f, "{verb} image {name:?}"),
            Object::Network(name) => write!(f, "{verb} network {name:?}"),
            Object::Volume(name) => write!(f, "{verb} volume {name:?}"),
        }
    }
}
