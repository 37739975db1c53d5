// Of the API that we speak.

export const apiVersion = '2.3'
