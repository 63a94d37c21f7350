/** What an error event in a stream holds: the error as a member, or flat. */
export const errorMembers = {
  error: 'keep',
  status: 'keep',
  status_code: 'keep',
  statusCode: 'keep',
  code: 'keep',
  message: 'keep',
  param: 'keep',
  details: 'keep',
  inner_error: 'keep',
  innererror: 'keep',
  moderation_details: 'keep',
} as const;
