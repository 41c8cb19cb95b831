//! Faults of arguments that a binding finds before the engine sees the call.
//!
//! A binding names the fault, and the text stands here, so that each text exists once.

use super::error::Error;

macro_rules! argument_faults {
    ($( $fault:ident $name:literal $text:literal; )*) => {
        /// The reason why a binding refuses an argument.
        ///
        /// # Example: a name for the fault in another language
        /// ```
        /// use sublet::ArgumentFault;
        /// let fault = ArgumentFault::from_name("unknown_option").expect("a fault");
        /// let error = fault.error("options", "colour");
        /// assert_eq!(error.code(), "input.value");
        /// assert_eq!(error.to_string(), "options: no option `colour`");
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ArgumentFault {
            $( #[doc = $text] $fault, )*
        }

        impl ArgumentFault {
            #[cfg(test)]
            const ALL: &[Self] = &[ $( Self::$fault, )* ];

            /// Returns the fault with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( $name => Some(Self::$fault), )*
                    _ => None,
                }
            }

            #[cfg(test)]
            fn name(self) -> &'static str {
                match self { $( Self::$fault => $name, )* }
            }

            fn text(self) -> &'static str {
                match self { $( Self::$fault => $text, )* }
            }
        }
    };
}

// `{}` stands for the detail of the fault: a name, a type or a number.
argument_faults! {
    AmountField "amount_field" "no field `amount`: it is an argument of its own";
    Array "array" "an array is needed";
    Boolean "boolean" "a boolean is needed";
    ClassInstance "class_instance" "an instance of a class";
    Constructor "constructor" "call `{}` instead of the constructor";
    FileUrl "file_url" "a URL of a folder begins with `file:`";
    Fraction "fraction" "a number that is not an integer";
    Function "function" "a function is needed";
    Getter "getter" "`{}` is a getter";
    Hole "hole" "an array with a hole";
    Instance "instance" "an instance of `{}` is needed";
    IntegerRange "integer_range" "an integer from 0 to {} is needed";
    LargeInteger "large_integer" "an integer over 64 bits";
    LogSink "log_sink" "one of `path` and `callback` is needed";
    LoneSurrogate "lone_surrogate" "a string with a lone surrogate";
    Milliseconds "milliseconds" "a number of milliseconds is needed";
    Null "null" "null is no Cedar value";
    PlainObject "plain_object" "a plain object is needed";
    PrincipalAsAction "principal_as_action" "a `Principal` where an action is needed";
    Proxy "proxy" "a proxy";
    Reference "reference" r#"a type and an id are needed, such as `["Account", "acme"]`"#;
    Resource "resource" r#"a type, an id and perhaps an account are needed, such as `["Campaign", "spring", "acme"]`"#;
    SampleRate "sample_rate" "a number from 0 to 1 is needed";
    String "string" "a {} where a string is needed";
    SymbolKey "symbol_key" "a symbol as key";
    TooManyHandles "too_many_handles" "too many are alive";
    Unreadable "unreadable" "they cannot be read: {}";
    UnknownColumn "unknown_column" "no column `{}`";
    UnknownField "unknown_field" "no field `{}`";
    UnknownOption "unknown_option" "no option `{}`";
    UnsafeInteger "unsafe_integer" "an integer that a number does not hold exactly: use a `BigInt`";
    UnsupportedType "unsupported_type" "a {} is no value that a policy can read";
}

impl ArgumentFault {
    /// Returns the error of the argument `what`. `detail` is the name, type or number in its text.
    #[must_use]
    pub fn error(self, what: &str, detail: &str) -> Error {
        Error::Value {
            what: what.to_owned(),
            reason: self.text().replace("{}", detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_its_fault() {
        for fault in ArgumentFault::ALL {
            assert_eq!(ArgumentFault::from_name(fault.name()), Some(*fault));
        }
        assert_eq!(ArgumentFault::from_name("none"), None);
    }

    #[test]
    fn a_detail_stands_in_the_message() {
        let error = ArgumentFault::IntegerRange.error("limit", "7");
        assert_eq!(error.to_string(), "limit: an integer from 0 to 7 is needed");
    }
}
