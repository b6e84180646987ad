//! What is told of one environment variable.

/// One environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What holds when it is unset or empty; empty for nothing.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

/// Makes a constant of each variable, and `ALL`, the list of them in the order of `--help`.
#[macro_export]
macro_rules! settings {
    ($($(#[$comment:meta])* $name:ident = $default:expr, $help:literal;)+) => {
        $(
            $(#[$comment])*
            #[doc = $help]
            pub const $name: $crate::Setting = $crate::Setting {
                name: stringify!($name),
                default: $default,
                help: $help,
            };
        )+

        /// Every variable that the program itself reads, in the order of `--help`.
        pub const ALL: &[$crate::Setting] = &[$($name),+];
    };
}
