// Delivering. Here nothing leaves the machine; yours talks SMTP.

/** How many of these addresses took the mail. */
export const deliver = (addresses) => addresses.filter((address) => !address.startsWith('bounce')).length;
