// Nominal types: a branded string can only come from the parser that checked it.

declare const brand: unique symbol

/** A `T` that only the parser of `Name` hands out. It costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
